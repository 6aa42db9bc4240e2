"""May this id tag charge? The authorization cache and the rules while the CSMS is away. Pure."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from chargepoint.configuration import Configuration
from contracts import ocpp_time

MAX_CACHED = 1000


@dataclass(frozen=True, slots=True)
class CachedTag:
    """What the CSMS last said of an id tag."""

    status: str
    expires_at: datetime | None = None

    def is_accepted(self, at: datetime) -> bool:
        """Return whether the word is Accepted and still holds."""
        return self.status == "Accepted" and (self.expires_at is None or at < self.expires_at)


Cache: TypeAlias = Mapping[str, CachedTag]
"""By lower-case id tag (OCPP's are case-insensitive), the longest known first."""


class Verdict(enum.Enum):
    """What to do about an id tag."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ASK = "ask the CSMS"


def decide(id_tag: str, cache: Cache, configuration: Configuration, *, online: bool, at: datetime) -> Verdict:
    """Return whether an id tag may charge, by OCPP 1.6, 3.5: cache, pre-authorization, offline rules."""
    known = cache.get(id_tag.lower()) if configuration.flag("AuthorizationCacheEnabled") else None
    if online:
        is_enough = configuration.flag("LocalPreAuthorize") and known is not None and known.is_accepted(at)
        return Verdict.ACCEPT if is_enough else Verdict.ASK
    if known is not None:
        is_fine = configuration.flag("LocalAuthorizeOffline") and known.is_accepted(at)
        return Verdict.ACCEPT if is_fine else Verdict.REFUSE
    return Verdict.ACCEPT if configuration.flag("AllowOfflineTxForUnknownId") else Verdict.REFUSE


def learned(cache: Cache, id_tag: str, info: Mapping[str, Any]) -> Cache:
    """Return the cache with an idTagInfo of the CSMS; the longest known go when it is full."""
    kept = {tag: known for tag, known in cache.items() if tag != id_tag.lower()}
    try:
        expires_at = ocpp_time.parse_bound(info["expiryDate"]) if "expiryDate" in info else None
    except ValueError:
        return kept  # the word before this one holds no more
    kept[id_tag.lower()] = CachedTag(info["status"], expires_at)
    return dict(list(kept.items())[-MAX_CACHED:])
