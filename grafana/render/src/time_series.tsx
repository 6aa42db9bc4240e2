/** A time series as Grafana's own panel draws it, and the regions of annotations behind it. */
import { type DataFrame, dateTime, type GrafanaTheme2 } from '@grafana/data';
import { type GraphNGProps, TimeSeries, useTheme2, type UPlotConfigBuilder } from '@grafana/ui';
import { useMemo } from 'react';
import type uPlot from 'uplot';
import { type Panel, type Region, type Span } from './picture';

interface Props {
  panel: Panel;
  frame: DataFrame;
  span: Span;
  regions: Region[];
  width: number;
  height: number;
}

export function TimeSeriesPanel({ panel, frame, span, regions, width, height }: Props) {
  const theme = useTheme2();
  const range = useMemo(() => {
    const [from, to] = [dateTime(span.from), dateTime(span.to)];
    return { from, to, raw: { from, to } };
  }, [span]);
  // The components join and pad frames in place, so that each drawing needs its own list.
  const frames = useMemo(() => [frame], [frame]);
  return (
    <TimeSeries
      frames={frames}
      timeRange={range}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options['legend'] as GraphNGProps['legend']}
      options={panel.options}
    >
      {(config) => <Regions config={config} regions={regions} theme={theme} />}
    </TimeSeries>
  );
}

/** Grafana's own plug-in for annotations is part of its app: this one only shades, and marks where a region begins and ends. */
function Regions({ config, regions, theme }: { config: UPlotConfigBuilder; regions: Region[]; theme: GrafanaTheme2 }) {
  useMemo(() => config.addHook('drawClear', (plot) => regions.forEach((one) => shade(plot, one, theme))), [config]);
  return null;
}

function shade(plot: uPlot, region: Region, theme: GrafanaTheme2): void {
  const { left, top, width, height } = plot.bbox;
  const begin = Math.max(plot.valToPos(region.from, 'x', true), left);
  const end = Math.min(plot.valToPos(region.to, 'x', true), left + width);
  if (end < left || begin > left + width) {
    return;
  }
  const color = theme.visualization.getColorByName(region.color);
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = ctx.strokeStyle = color;
  ctx.globalAlpha = 0.1;
  ctx.fillRect(begin, top, end - begin, height);
  ctx.globalAlpha = 1;
  ctx.setLineDash([5, 5]);
  for (const x of [begin, end]) {
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.restore();
}
