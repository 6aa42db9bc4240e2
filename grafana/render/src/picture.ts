/** What the page is given: a dashboard as Grafana reads it, and what its queries gave. */
import { type DataFrameJSON, type FieldConfigSource } from '@grafana/data';

export interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: FieldConfigSource;
  options: Record<string, any>;
  timeFrom?: string;
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  templating: { list: Array<{ name: string; type: string }> };
}

/** A stretch of time in milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

export interface Region extends Span {
  color: string;
}

export interface Picture {
  dashboard: Dashboard;
  span: Span;
  variables: Record<string, string | string[]>;
  /** By panel id: its own time range, and the frame of its query (a query without rows gives one without fields). */
  panels: Record<number, { span: Span; frame: DataFrameJSON }>;
  regions: Region[];
}
