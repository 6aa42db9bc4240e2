"""Who may charge: asked of the cache on disk, of the CSMS, and of the rules while that is away."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from chargepoint import authorization
from chargepoint.authorization import CachedTag, Verdict
from chargepoint.configuration import Configuration
from chargepoint.ocpp_client import OcppClient
from chargepoint.store import Store
from chassis.ocpp_peer import CallFailed
from contracts.ocpp_messages import Payload

log = logging.getLogger("chargepoint")


class IdTags:
    """The authorization cache and whom to ask. `configuration` returns the present one."""

    def __init__(self, store: Store, client: OcppClient, configuration: Callable[[], Configuration]) -> None:
        self._store = store
        self._client = client
        self._configuration = configuration
        self._cache = store.load("id_tags", dict[str, CachedTag], {})

    async def authorize(self, id_tag: str) -> bool:
        """Return whether an id tag may charge."""
        verdict = self._decide(id_tag, online=self._client.is_online)
        if verdict is Verdict.ASK:
            try:
                answer = await self._client.call("Authorize", {"idTag": id_tag})
            except CallFailed as error:
                log.warning("Authorize: %s", error)
                verdict = self._decide(id_tag, online=False)
            else:
                self.learn(id_tag, answer["idTagInfo"])
                return bool(answer["idTagInfo"]["status"] == "Accepted")
        return verdict is Verdict.ACCEPT

    def _decide(self, id_tag: str, *, online: bool) -> Verdict:
        return authorization.decide(
            id_tag, self._cache, self._configuration(), online=online, at=datetime.now(UTC)
        )

    def learn(self, id_tag: str, info: Payload) -> None:
        """Remember the CSMS's word on an id tag."""
        self._cache = dict(authorization.learned(self._cache, id_tag, info))
        self._store.save("id_tags", self._cache)

    def forget(self) -> None:
        """Forget every id tag."""
        self._cache = {}
        self._store.save("id_tags", self._cache)
