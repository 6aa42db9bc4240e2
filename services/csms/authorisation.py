"""What an id tag may do: OCPP's idTagInfo from what the CSMS knows of the tag."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from contracts import ocpp_time
from contracts.ocpp_messages import Payload

TagStatus: TypeAlias = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
BENCH_TAG = "BENCH"
"""The tag that the bench's own scenarios start with; accepted from the first start on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTag:
    """An id tag in the list. `one_transaction`: a second transaction at the same time is ConcurrentTx."""

    id_tag: str
    status: TagStatus = "Accepted"
    expires_at: datetime | None = None
    parent_id_tag: str | None = None
    one_transaction: bool = False


def status_of(
    tag: IdTag | None, now: datetime, *, accept_unknown: bool = False, is_charging: bool = False
) -> TagStatus:
    """Return the status of a tag (None: not in the list) that is charging elsewhere or not."""
    if tag is None:
        return "Accepted" if accept_unknown else "Invalid"
    if tag.status != "Accepted":
        return tag.status
    if tag.expires_at is not None and tag.expires_at <= now:
        return "Expired"
    if tag.one_transaction and is_charging:
        return "ConcurrentTx"
    return "Accepted"


def id_tag_info(
    tag: IdTag | None, now: datetime, *, accept_unknown: bool = False, is_charging: bool = False
) -> Payload:
    """Return OCPP's idTagInfo for a tag."""
    info: Payload = {"status": status_of(tag, now, accept_unknown=accept_unknown, is_charging=is_charging)}
    if tag is not None and tag.expires_at is not None:
        info["expiryDate"] = ocpp_time.text(tag.expires_at)
    if tag is not None and tag.parent_id_tag is not None:
        info["parentIdTag"] = tag.parent_id_tag
    return info
