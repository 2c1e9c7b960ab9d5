"""OpenAI and Anthropic as the sample company meets them: HTTP APIs that say what was used and what it cost.

What belongs here: the vendors' endpoints, parameters and answers, over files that a run of the simulator wrote. What
must not: making up usage or prices, or any import of the pipeline.
"""
