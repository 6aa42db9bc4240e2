/** Draw a dashboard's grid with Grafana's published components: `draw(picture)`, once a page. */
import {
  createTheme,
  type DataFrame,
  type InterpolateFunction,
  locationUtil,
  ThemeContext,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { ErrorBoundary, GlobalStyles, PanelChrome, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useMemo } from 'react';
import { createRoot } from 'react-dom/client';
import { frameOf } from './fields';
import { type Panel, type Picture } from './picture';
import { TimeSeriesPanel } from './time_series';
import { BarGaugePanel, StatPanel } from './values';
import { replacer } from './variables';

const COLUMNS = 24;
const CELL_PX = 30;
const GAP_PX = 8;
const REST_MS = 200;

/** Panel types that are part of Grafana's app and not of its published components. */
const NOT_PUBLISHED = ['state-timeline', 'status-history', 'heatmap', 'histogram', 'barchart', 'piechart', 'text'];

interface Drawing {
  panel: Panel;
  picture: Picture;
  frame: DataFrame;
  replaceVariables: InterpolateFunction;
  width: number;
  height: number;
}

function Content({ panel, picture, frame, replaceVariables, width, height }: Drawing) {
  const { span } = picture.panels[panel.id]!;
  const size = { width, height };
  if (NOT_PUBLISHED.includes(panel.type)) {
    return <Words>not drawn here: {panel.type.replace('-', ' ')}</Words>;
  }
  if (panel.type === 'stat') {
    return <StatPanel panel={panel} frame={frame} replaceVariables={replaceVariables} {...size} />;
  }
  if (frame.fields.length === 0) {
    return <Words>{panel.fieldConfig.defaults.noValue}</Words>;
  }
  switch (panel.type) {
    case 'timeseries':
      return <TimeSeriesPanel panel={panel} frame={frame} span={span} regions={picture.regions} {...size} />;
    case 'bargauge':
      return <BarGaugePanel panel={panel} frame={frame} replaceVariables={replaceVariables} {...size} />;
    case 'table':
      return (
        <TableNG
          data={frame}
          noHeader={!panel.options['showHeader']}
          cellHeight={panel.options['cellHeight']}
          sortBy={panel.options['sortBy']}
          noValue={panel.fieldConfig.defaults.noValue}
          fieldConfig={panel.fieldConfig}
          enableVirtualization={false} // rows and columns out of sight are in the document too
          {...size}
        />
      );
    default:
      throw new Error(`no drawing for a panel of type ${panel.type}`);
  }
}

function Words({ children }: { children: React.ReactNode }) {
  const { colors } = useTheme2();
  return (
    <div
      className="words"
      style={{ height: '100%', display: 'grid', placeContent: 'center', textAlign: 'center', color: colors.text.secondary }}
    >
      <span>{children}</span>
    </div>
  );
}

function PanelInGrid({ panel, picture, column }: { panel: Panel; picture: Picture; column: number }) {
  const theme = useTheme2();
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * column + (w - 1) * GAP_PX, h * CELL_PX + (h - 1) * GAP_PX];
  const replaceVariables = useMemo(() => replacer(picture), [picture]);
  const frame = useMemo(
    () => frameOf(panel, picture.panels[panel.id]!.frame, theme, replaceVariables),
    [panel, picture, theme]
  );
  return (
    <div
      data-panel={panel.id}
      style={{ position: 'absolute', left: x * (column + GAP_PX), top: y * (CELL_PX + GAP_PX), width, height }}
    >
      <ErrorBoundary>
        {({ error }) =>
          error ? (
            <div className="broken">{String(error)}</div>
          ) : (
            <PanelChrome
              title={replaceVariables(panel.title)}
              description={panel.description}
              width={width}
              height={height}
              padding={panel.type === 'table' ? 'none' : 'md'}
            >
              {(innerWidth, innerHeight) => (
                <Content {...{ panel, picture, frame, replaceVariables }} width={innerWidth} height={innerHeight} />
              )}
            </PanelChrome>
          )
        }
      </ErrorBoundary>
    </div>
  );
}

function Page({ picture, width }: { picture: Picture; width: number }) {
  const { panels, title } = picture.dashboard;
  const rows = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const column = (width - 2 * GAP_PX - (COLUMNS - 1) * GAP_PX) / COLUMNS;
  const chosen = picture.dashboard.templating.list
    .filter((variable) => variable.type === 'query')
    .map(({ name }) => (Array.isArray(picture.variables[name]) ? 'All' : picture.variables[name]));
  return (
    <main style={{ padding: GAP_PX, width, boxSizing: 'border-box' }}>
      <h4 style={{ margin: `0 0 ${GAP_PX}px` }}>{[title, ...chosen].join(' · ')}</h4>
      <div style={{ position: 'relative', height: rows * (CELL_PX + GAP_PX) - GAP_PX }}>
        {panels.map((panel) => (
          <PanelInGrid key={panel.id} panel={panel} picture={picture} column={column} />
        ))}
      </div>
    </main>
  );
}

/** Draw the picture; resolves when the page has come to rest. */
async function draw(picture: Picture): Promise<void> {
  await initPluginTranslations('chargebench');
  locationUtil.initialize({
    config: { appSubUrl: '' } as Parameters<typeof locationUtil.initialize>[0]['config'],
    getTimeRangeForUrl: () => ({ from: String(picture.span.from), to: String(picture.span.to) }),
    getVariablesUrlParams: () => ({}),
  });
  const theme = createTheme({ colors: { mode: 'dark' } });
  const resting = atRest();
  createRoot(document.getElementById('page')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Page picture={picture} width={document.documentElement.clientWidth} />
    </ThemeContext.Provider>
  );
  await resting;
}

/**
 * Charts measure their legends and are drawn again, icons come later: wait until nothing changes any more, not in
 * the next frame either, which a busy machine may be slow to begin.
 */
function atRest(): Promise<void> {
  return new Promise((resolve) => {
    let changes = 0;
    let timer = 0;
    const wait = () => {
      changes += 1;
      clearTimeout(timer);
      timer = window.setTimeout(look, REST_MS);
    };
    const observer = new MutationObserver(wait);
    const look = async () => {
      const before = changes;
      await document.fonts.ready;
      await nextFrame();
      await nextFrame();
      if (changes === before) {
        observer.disconnect();
        resolve();
      }
    };
    observer.observe(document.body, { childList: true, subtree: true, attributes: true });
  });
}

function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

Object.assign(window, { draw });
