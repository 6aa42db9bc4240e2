-- What lists need to begin at their newest row, and one place for the line that tells an event.

-- events ------------------------------------------------------------------------------------------------------

-- Blocks (BRIN) narrow a stretch of time, but give no order: the newest events need a tree.
DROP INDEX memory.events_by_time;
CREATE INDEX events_by_time ON memory.events (at);
-- By kind: what is rare among CAN frames and OCPP messages is found without reading those.
CREATE INDEX events_by_kind ON memory.events (kind, at) WHERE kind NOT IN ('can_frame_seen', 'ocpp_message_seen');
CREATE INDEX events_notable_by_charge_point ON memory.events (charge_point_id, at)
  WHERE kind NOT IN ('can_frame_seen', 'ocpp_message_seen');
CREATE INDEX events_by_charge_point_and_kind ON memory.events (charge_point_id, kind, at)
  WHERE kind NOT IN ('can_frame_seen', 'ocpp_message_seen');

CREATE FUNCTION dash.event_line(kind text, detail jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $body$
  SELECT CASE kind
    WHEN 'can_frame_seen' THEN concat_ws(' ',
      '0x' || to_hex((detail ->> 'can_id')::integer), nullif(detail ->> 'data', ''),
      CASE WHEN (detail ->> 'sent')::boolean THEN 'sent' ELSE 'heard' END)
    WHEN 'ocpp_message_seen' THEN concat_ws(' ',
      detail ->> 'direction', nullif(detail ->> 'action', ''), detail ->> 'message_type',
      detail ->> 'error_code', round((detail ->> 'round_trip_s')::numeric * 1000, 1) || ' ms')
    WHEN 'status_changed' THEN concat_ws(' ',
      detail ->> 'status', nullif(detail ->> 'error_code', 'NoError'))
    WHEN 'transaction_started' THEN format('transaction %s began, tag %s, meter %s Wh',
      detail ->> 'transaction_id', detail ->> 'id_tag', detail ->> 'meter_start_wh')
    WHEN 'transaction_ended' THEN format('transaction %s ended, %s, meter %s Wh',
      detail ->> 'transaction_id', coalesce(detail ->> 'reason', 'Local'), detail ->> 'meter_stop_wh')
    WHEN 'command_sent' THEN format('%s: %s', detail ->> 'command', detail ->> 'outcome')
    WHEN 'system_event' THEN concat_ws(' ', (detail ->> 'service') || ':', detail ->> 'name',
      nullif(detail -> 'detail', '{}')::text)
  END
$body$;
COMMENT ON FUNCTION dash.event_line IS 'An event in one line';
GRANT EXECUTE ON FUNCTION dash.event_line TO memorybank_reader, grafana_reader;

-- The connector as it stands in the table: of a cast the planner knows no statistics.
DROP VIEW dash.events;
CREATE VIEW dash.events AS
  SELECT at, charge_point_id, connector, kind, dash.event_line(kind, detail) AS summary
  FROM memory.events;
COMMENT ON VIEW dash.events IS 'Every event but readings, in one line each';

-- readings ----------------------------------------------------------------------------------------------------

-- Few among those observed on CAN: without this, a day of a connector would be read for them.
CREATE INDEX metrics_of_ocpp ON memory.metrics (charge_point_id, connector, at) WHERE origin = 'ocpp';

-- Summed up by vacuum, not at once: under fast inserts autosummarize fills the server's log with refusals.
DROP INDEX memory.metrics_by_time;
CREATE INDEX metrics_by_time ON memory.metrics USING brin (at) WITH (pages_per_range = 32);

-- sessions and anomalies ----------------------------------------------------------------------------------------

-- Of those that are shown (dash.sessions), so that counting them needs the index only.
DROP INDEX memory.sessions_by_start;
CREATE INDEX sessions_by_start ON memory.sessions (started_at) WHERE meter_start_wh IS NOT NULL OR ended_at IS NOT NULL;
CREATE INDEX sessions_by_charge_point ON memory.sessions (charge_point_id, started_at)
  WHERE meter_start_wh IS NOT NULL OR ended_at IS NOT NULL;
CREATE INDEX anomalies_by_kind ON memory.anomalies (kind, started_at);
CREATE INDEX anomalies_by_severity ON memory.anomalies (severity, started_at);
CREATE INDEX anomalies_open ON memory.anomalies (started_at) WHERE ended_at IS NULL;
