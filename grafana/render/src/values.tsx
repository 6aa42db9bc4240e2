/** Stat and bar gauge: single values of a frame, each drawn by Grafana's component. */
import {
  type DataFrame,
  type DisplayValueAlignmentFactors,
  type FieldDisplay,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  type InterpolateFunction,
} from '@grafana/data';
import { BarGauge, BigValue, useTheme2, VizRepeater, type VizRepeaterRenderValueProps } from '@grafana/ui';
import { settings } from './fields';
import { type Panel } from './picture';

interface Props {
  panel: Panel;
  frame: DataFrame;
  replaceVariables: InterpolateFunction;
  width: number;
  height: number;
}

type Value = VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>;

function useValues({ panel, frame, replaceVariables }: Props): () => FieldDisplay[] {
  const theme = useTheme2();
  return () =>
    getFieldDisplayValues({
      fieldConfig: settings(panel),
      reduceOptions: panel.options['reduceOptions'],
      replaceVariables,
      theme,
      data: [frame],
      sparkline: panel.options['graphMode'] === 'area',
      timeZone: 'utc',
    });
}

export function StatPanel(props: Props) {
  const theme = useTheme2();
  const { panel, frame, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      getValues={useValues(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={(value: Value) => (
        <BigValue
          value={value.value.display}
          sparkline={value.value.sparkline}
          count={value.count}
          colorMode={options['colorMode']}
          graphMode={options['graphMode']}
          justifyMode={options['justifyMode']}
          textMode={options['textMode']}
          alignmentFactors={value.alignmentFactors}
          text={options['text']}
          disableWideLayout={!options['wideLayout']}
          width={value.width}
          height={value.height}
          theme={theme}
        />
      )}
      source={frame}
      width={width}
      height={height}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options['orientation']}
    />
  );
}

export function BarGaugePanel(props: Props) {
  const theme = useTheme2();
  const { panel, frame, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      getValues={useValues(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={(value: Value) => (
        <BarGauge
          value={value.value.display}
          field={value.value.field}
          display={value.value.view?.getFieldDisplayProcessor(value.value.colIndex!)}
          orientation={value.orientation}
          displayMode={options['displayMode']}
          valueDisplayMode={options['valueMode']}
          namePlacement={options['namePlacement']}
          showUnfilled={options['showUnfilled']}
          alignmentFactors={
            value.count > 1 ? value.alignmentFactors : { title: value.value.display.title ?? '', text: value.value.display.text }
          }
          text={options['text']}
          itemSpacing={10}
          lcdCellWidth={12}
          width={value.width}
          height={value.height}
          theme={theme}
        />
      )}
      source={frame}
      width={width}
      height={height}
      itemSpacing={10}
      minVizWidth={options['minVizWidth']}
      minVizHeight={options['minVizHeight']}
      maxVizHeight={options['maxVizHeight']}
      renderCounter={0}
      orientation={options['orientation']}
    />
  );
}
