"""The weekly report: reads released marts, renders one self-contained page. No figures of its own."""
