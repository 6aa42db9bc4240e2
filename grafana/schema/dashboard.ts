// What a dashboard of this bench may be, said in Grafana's own published types: classic JSON, our data source,
// six panel types. tests/integration/test_grafana_schema.py makes a JSON Schema of it and checks the dashboards.
import type {
  AnnotationQuery,
  Dashboard,
  FieldConfig,
  FieldConfigSource,
  GraphFieldConfig,
  Panel,
  TableFieldOptions,
  VariableModel,
} from '@grafana/schema';
import type { Options as BarGauge } from './node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type {
  FieldConfig as CellField,
  Options as Heatmap,
} from './node_modules/@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type {
  FieldConfig as LaneField,
  Options as StateTimeline,
} from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type { Options as Stat } from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type { Options as Table } from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type { Options as TimeSeries } from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

interface Source {
  type: 'grafana-postgresql-datasource';
  uid: 'chargebench-postgres';
}

interface Query {
  refId: string;
  datasource: Source;
  format: 'time_series' | 'table';
  editorMode: 'code';
  rawQuery: true;
  rawSql: string;
}

// DataLink stands in @grafana/data.
interface DataLink {
  title: string;
  url: string;
  targetBlank: boolean;
}

interface Field<Custom> extends Omit<FieldConfig, 'custom' | 'links'> {
  custom?: Custom;
  links?: DataLink[];
}

interface PanelOf<Type extends string, Options, Custom>
  extends Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'> {
  type: Type;
  datasource: Source;
  targets: Query[];
  options: Options;
  fieldConfig: { defaults: Field<Custom>; overrides: FieldConfigSource['overrides'] };
}

type Nothing = Record<string, never>;

type OurPanel =
  | PanelOf<'bargauge', BarGauge, Nothing>
  | PanelOf<'heatmap', Heatmap, CellField>
  | PanelOf<'stat', Stat, Nothing>
  // The published type of the state timeline leaves out spanNulls, which its editor has.
  | PanelOf<'state-timeline', StateTimeline, LaneField & { spanNulls?: boolean | number }>
  | PanelOf<'table', Table, TableFieldOptions>
  | PanelOf<'timeseries', TimeSeries, GraphFieldConfig>;

type OurAnnotation = Omit<AnnotationQuery, 'target' | 'datasource'> & { target: Query; datasource: Source };
// `definition` is what the variable editor shows; Grafana writes it into every file it exports.
type OurVariable = VariableModel & { definition?: string };

export interface ChargeBenchDashboard
  extends Omit<Dashboard, 'panels' | 'annotations' | 'templating' | 'schemaVersion'> {
  schemaVersion: 42;
  panels: OurPanel[];
  annotations: { list: OurAnnotation[] };
  templating: { list: OurVariable[] };
}
