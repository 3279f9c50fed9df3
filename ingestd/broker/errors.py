"""What can go wrong in the broker, split by who has to do something about it.

BrokerError          the operator: a configuration, a file, a database that can't be used
Refused              whoever sent the request: answered as it says
ServiceError         the service did not do what it was asked; `answers` says what a device is told of it
"""

from __future__ import annotations


class BrokerError(Exception):
    """The broker can't start or a command can't be carried out; says what, where, and what to do."""


class Refused(Exception):  # noqa: N818 (an answer, not a fault of ours)
    """A request that is answered with an error.

    `message` goes to the other side: no secret, nothing that tells an unknown device from a disabled one.
    """

    def __init__(
        self, status: int, message: str, *, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        """A word for programs, as `rate-limited`."""
        self.retry_after_s = retry_after_s


class ServiceError(Exception):
    """The service refused, or could not be reached. Nothing in it is a secret.

    `status` is its HTTP status; 0 where there was no answer, of which `late` says that it took too long.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        late: bool = False,
        retry_after_s: float | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.late = late
        self.retry_after_s = retry_after_s
        self.code = code
        self.request_id = request_id
