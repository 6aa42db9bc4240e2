"""A CAN frame that a person sends by hand, as a run of its own: as much ground truth as a scenario."""

import uuid
from datetime import datetime

from contracts import can_frames
from csms.state.runs import Run

SCENARIO = "can-frame-by-hand"

_ANOMALIES = {
    can_frames.START_ID: "can-command-injection",
    can_frames.STOP_ID: "can-command-injection",
    can_frames.KEEPALIVE_ID: "can-command-injection",
    can_frames.SET_LIMIT_ID: "can-limit-injection",
    can_frames.CURRENT_ID: "can-reading-spoof",
    can_frames.OUTPUT_ID: "can-reading-spoof",
    can_frames.STATUS_ID: "can-reading-spoof",
    can_frames.THERMAL_ID: "can-reading-spoof",
}
_OTHER = "can-frame-injection"


def run_of(charge_point_id: str, connector: int, can_id: int, data: bytes, at: datetime) -> Run:
    """Return the run that such a frame is."""
    return Run(
        run_id=str(uuid.uuid4()),
        scenario=SCENARIO,
        anomaly=_ANOMALIES.get(can_id, _OTHER),
        charge_point_ids=(charge_point_id,),
        parameters={
            "connector": connector,
            "can_id": can_id,
            **{f"byte_{number}": byte for number, byte in enumerate(data)},
        },
        seed=0,
        started_at=at,
    )
