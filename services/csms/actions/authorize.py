"""Authorize: may this id tag charge."""

from contracts.ocpp_messages import Payload
from csms import authorisation
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:
    """Answer what the list of id tags says, and report that the tag was shown."""
    id_tag = payload["idTag"]
    tag = context.tag(id_tag)
    info = authorisation.id_tag_info(tag, context.now, accept_unknown=context.accept_unknown_tags)
    return Answer({"idTagInfo": info}, (context.noted("id_tag_shown", id_tag=id_tag, status=info["status"]),))
