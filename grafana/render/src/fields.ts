/** A panel's field settings, applied to its frame by @grafana/data, with the defaults that Grafana's panels add. */
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  type DataFrame,
  dataFrameFromJSON,
  type DataFrameJSON,
  displayNameOverrideProcessor,
  type FieldConfig,
  FieldConfigOptionsRegistry,
  type FieldConfigPropertyItem,
  type FieldConfigSource,
  FieldType,
  type GrafanaTheme2,
  identityOverrideProcessor,
  type InterpolateFunction,
  numberOverrideProcessor,
  ThresholdsMode,
} from '@grafana/data';
import { type Panel } from './picture';

const NUMBERS = ['min', 'max', 'decimals'];
const OTHERS = ['unit', 'fieldMinMax', 'color', 'noValue', 'links', 'mappings', 'thresholds', 'filterable'];

const THRESHOLDS = {
  mode: ThresholdsMode.Absolute,
  steps: [
    { value: -Infinity, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

/** What Grafana's panel plug-ins add where the dashboard says nothing (their `module.tsx`). */
const DEFAULTS: Record<string, FieldConfig> = {
  timeseries: {
    color: { mode: 'palette-classic' },
    custom: {
      barAlignment: 0,
      barWidthFactor: 0.6,
      axisGridShow: true,
      axisCenteredZero: false,
      axisBorderShow: false,
      axisColorMode: 'text',
      scaleDistribution: { type: 'linear' },
      thresholdsStyle: { mode: 'off' },
      hideFrom: { viz: false, legend: false, tooltip: false },
    },
  },
  stat: { color: { mode: 'thresholds' } },
  bargauge: { color: { mode: 'thresholds' } },
  table: { color: { mode: 'thresholds' } },
};

export class UnknownSetting extends Error {}

/** Return the panel's field settings with the defaults of its type beneath them. */
export function settings(panel: Panel): FieldConfigSource {
  const { defaults, overrides } = panel.fieldConfig;
  const below = DEFAULTS[panel.type] ?? {};
  const thresholds = defaults.thresholds ?? THRESHOLDS;
  return {
    defaults: {
      mappings: [],
      ...below,
      ...defaults,
      thresholds: withFirstStep(thresholds),
      custom: { ...below.custom, ...defaults.custom },
    },
    overrides: overrides.map((override) => ({
      ...override,
      properties: override.properties.map((property) =>
        property.id === 'thresholds' ? { ...property, value: withFirstStep(property.value) } : property
      ),
    })),
  };
}

/** JSON has no minus infinity: null stands for it. */
function withFirstStep(thresholds: typeof THRESHOLDS): typeof THRESHOLDS {
  return { ...thresholds, steps: thresholds.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })) };
}

/** Return the frame of the panel's query with units, colours, names and links on its fields. */
export function frameOf(
  panel: Panel,
  json: DataFrameJSON,
  theme: GrafanaTheme2,
  replaceVariables: InterpolateFunction
): DataFrame {
  const [frame] = applyFieldOverrides({
    data: [dataFrameFromJSON(json)],
    fieldConfig: settings(panel),
    fieldConfigRegistry: registry(settings(panel)),
    replaceVariables,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames([frame!]); // tables read no other name
  return frame!;
}

/** Return what may be set: the standard settings, and those of the panel type that this panel names. */
function registry(source: FieldConfigSource): FieldConfigOptionsRegistry {
  const properties = source.overrides.flatMap((override) => override.properties.map((property) => property.id));
  const custom = [
    ...Object.keys(source.defaults.custom ?? {}),
    ...properties.filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length)),
  ];
  const known = new FieldConfigOptionsRegistry(() => [
    item('displayName', displayNameOverrideProcessor, { settings: { expandTemplateVars: true } }),
    ...NUMBERS.map((id) =>
      item(id, numberOverrideProcessor, { shouldApply: (field) => field.type === FieldType.number })
    ),
    ...OTHERS.map((id) => item(id, identityOverrideProcessor)),
    ...[...new Set(custom)].map((path) =>
      item(`custom.${path}`, identityOverrideProcessor, { path, isCustom: true })
    ),
  ]);
  for (const id of properties) {
    if (!known.getIfExists(id)) {
      throw new UnknownSetting(`an override sets ${id}, which Grafana does not know`);
    }
  }
  return known;
}

function item(
  id: string,
  process: FieldConfigPropertyItem['process'],
  more: Partial<FieldConfigPropertyItem> = {}
): FieldConfigPropertyItem {
  const editor = () => null;
  return { id, path: id, name: id, editor, override: editor, process, shouldApply: () => true, ...more };
}
