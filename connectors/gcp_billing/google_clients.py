"""Google's clients, made from the settings and from application default credentials; their errors in words.

What belongs here: making clients, retries, errors. What must not: what is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import google.auth
from google.api_core import exceptions as api
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.exceptions import TransportError as AuthTransportError
from google.auth.transport.requests import AuthorizedSession
from requests.exceptions import RequestException

from connectors.common.contract import ConnectorError, TerminalError, TransientError
from connectors.gcp_billing.settings import Settings

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SIGN_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS, or give this machine a "
    "service account"
)
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""

RETRY = Retry(
    predicate=if_exception_type(
        api.ServiceUnavailable,
        api.TooManyRequests,
        api.DeadlineExceeded,
        api.InternalServerError,
        api.BadGateway,
        api.GatewayTimeout,
        api.Aborted,
        ConnectionError,
        RequestException,
    ),
    initial=0.3,
    maximum=20,
    multiplier=2,
    timeout=120,
)
"""Throttling and failures of the service are tried again, with growing waits, for two minutes."""


class AccessDeniedError(TerminalError):
    """Google knows who asks, and does not allow it."""


@contextmanager
def in_words(doing: str, needs: str) -> Iterator[None]:
    """Turn Google's errors into ours: what was tried, and what to do; `needs` names roles or permissions."""
    try:
        yield
    except ConnectorError:
        raise
    except (api.Forbidden, api.PermissionDenied) as error:
        raise AccessDeniedError(f"{doing}: not allowed; grant {needs}") from error
    except api.NotFound as error:
        raise TerminalError(
            f"{doing}: does not exist, or is not visible; correct the name or grant {needs}"
        ) from error
    except (api.Unauthorized, api.Unauthenticated, DefaultCredentialsError) as error:
        raise TerminalError(f"{doing}: no valid credentials; {SIGN_IN}") from error
    except AuthTransportError as error:
        raise TransientError(f"{doing}: the sign-in service cannot be reached; check the network") from error
    except GoogleAuthError as error:
        raise TerminalError(
            f"{doing}: the credentials are refused ({type(error).__name__}); {SIGN_IN}"
        ) from error
    except (api.RetryError, api.ServerError, api.TooManyRequests, RequestException, ConnectionError) as error:
        told = type(error).__name__
        raise TransientError(
            f"{doing}: Google does not answer ({told}), also after retries; run again later"
        ) from error
    except api.GoogleAPICallError as error:
        raise TerminalError(f"{doing}: refused ({type(error).__name__}); check the settings") from error


class ImpatientSession(AuthorizedSession):
    """Waits no longer than `TIMEOUT` for an answer where the client would for ever, as BigQuery's does."""

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Send a request. Raises RequestException when no answer comes in time."""
        if options.get("timeout") is None:
            options["timeout"] = TIMEOUT
        return super().request(*arguments, **options)


class GoogleClients:
    """Every client that this connector uses, made when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def credentials(self) -> Any:
        """Application default credentials. Raises TerminalError when there are none."""
        with in_words("sign in to Google Cloud", "a service account"):
            found, _ = google.auth.default(scopes=SCOPES, quota_project_id=self._settings.quota_project)
            return found

    @cached_property
    def bigquery(self) -> Any:
        """The client of BigQuery's REST API."""
        from google.cloud import bigquery

        return bigquery.Client(
            project=self._settings.reading_project,
            credentials=self.credentials,
            _http=ImpatientSession(self.credentials, refresh_timeout=int(TIMEOUT[1])),
            location=self._settings.dataset_location,
            client_options=self._options(self._settings.endpoints.bigquery),
        )

    @cached_property
    def bigquery_storage(self) -> Any:
        """The client of the BigQuery Storage Read API."""
        from google.cloud import bigquery_storage

        return bigquery_storage.BigQueryReadClient(
            credentials=self.credentials,
            client_options=self._options(self._settings.endpoints.bigquery_storage),
        )

    @cached_property
    def catalog(self) -> Any:
        """The client of the price catalogue."""
        from google.cloud import billing_v1

        return billing_v1.CloudCatalogClient(**self._rest(self._settings.endpoints.billing))

    @cached_property
    def billing(self) -> Any:
        """The client of billing accounts."""
        from google.cloud import billing_v1

        return billing_v1.CloudBillingClient(**self._rest(self._settings.endpoints.billing))

    @cached_property
    def budgets(self) -> Any:
        """The client of budgets."""
        from google.cloud.billing import budgets_v1

        return budgets_v1.BudgetServiceClient(**self._rest(self._settings.endpoints.budgets))

    def _rest(self, endpoint: str | None) -> dict[str, Any]:
        return {
            "credentials": self.credentials,
            "transport": "rest",
            "client_options": self._options(endpoint),
        }

    def _options(self, endpoint: str | None) -> ClientOptions:
        return ClientOptions(api_endpoint=endpoint) if endpoint else ClientOptions()
