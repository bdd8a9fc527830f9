/** The few kinds of panels that the dashboard has, as Grafana's dashboard model wants them (schema version 41, Grafana 12). */

/** A query and the name of its series; `{{label}}` stands for a label. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface PanelSpec {
  readonly title: string;
  /** What one sees, and what is good. */
  readonly about: string;
  readonly queries: readonly Query[];
  /** A unit of Grafana: `s`, `bytes`, `percentunit`, `short`, `d`. */
  readonly unit?: string;
  readonly kind?: 'lines' | 'number' | 'bars';
  /** Values from which a number is yellow and red; from red down where red is the smaller. */
  readonly thresholds?: readonly [yellow: number, red: number];
  /** What stands where there is no series: "No data" could also mean that nothing is read. */
  readonly empty?: string;
  /** Of 24. */
  readonly width?: number;
}

export const datasource = { type: 'prometheus', uid: '${datasource}' };

interface Place {
  readonly id: number;
  readonly x: number;
  readonly y: number;
}

const heights = { number: 4, lines: 8, bars: 8 } as const;
const widths = { number: 4, lines: 8, bars: 8 } as const;
const gridWidth = 24;

/** A row with its panels below it, from the height `y` on; returns the height where the next begins. */
export function placeRow(
  title: string,
  specs: readonly PanelSpec[],
  first: Place,
): { readonly panels: readonly object[]; readonly next: Place } {
  let { id, y } = first;
  let x = 0;
  let tallest = 0;
  const panels: object[] = [
    { id: id++, type: 'row', title, collapsed: false, panels: [], gridPos: { h: 1, w: gridWidth, x: 0, y: y++ } },
  ];
  for (const spec of specs) {
    const kind = spec.kind ?? 'lines';
    const w = spec.width ?? widths[kind];
    const h = heights[kind];
    if (x + w > gridWidth) {
      x = 0;
      y += tallest;
      tallest = 0;
    }
    panels.push({ ...panelOf(spec), id: id++, gridPos: { h, w, x, y } });
    x += w;
    tallest = Math.max(tallest, h);
  }
  return { panels, next: { id, x: 0, y: y + tallest } };
}

function panelOf({ title, about, queries, unit = 'short', kind = 'lines', thresholds, empty }: PanelSpec): object {
  const instant = kind === 'bars' || kind === 'number';
  const targets = queries.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    ...(instant ? { instant: true, range: false } : { instant: false, range: true }),
  }));
  const common = { title, description: about, datasource, targets };
  const defaults = {
    unit,
    min: 0,
    ...(unit === 'percentunit' ? { max: 1 } : {}),
    ...(empty === undefined ? {} : { noValue: empty }),
    color: { mode: thresholds === undefined ? 'palette-classic' : 'thresholds' },
  };
  const steps = stepsOf(thresholds);
  const reduceOptions = { calcs: ['lastNotNull'], fields: '', values: false };
  switch (kind) {
    case 'number':
      return {
        ...common,
        type: 'stat',
        fieldConfig: { defaults: { ...defaults, thresholds: { mode: 'absolute', steps } }, overrides: [] },
        options: {
          reduceOptions,
          colorMode: 'value',
          graphMode: 'none',
          justifyMode: 'auto',
          textMode: 'auto',
          orientation: 'auto',
        },
      };
    case 'bars':
      return {
        ...common,
        type: 'bargauge',
        fieldConfig: { defaults: { ...defaults, thresholds: { mode: 'absolute', steps } }, overrides: [] },
        options: {
          reduceOptions,
          displayMode: 'basic',
          orientation: 'horizontal',
          showUnfilled: true,
          valueMode: 'color',
        },
      };
    case 'lines':
      return {
        ...common,
        type: 'timeseries',
        fieldConfig: {
          defaults: {
            ...defaults,
            color: { mode: 'palette-classic' },
            custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'never' },
          },
          overrides: [],
        },
        options: {
          legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
      };
  }
}

function stepsOf(thresholds: PanelSpec['thresholds']): readonly object[] {
  if (thresholds === undefined) return [{ color: 'green', value: null }];
  const [yellow, red] = thresholds;
  return red > yellow
    ? [
        { color: 'green', value: null },
        { color: 'yellow', value: yellow },
        { color: 'red', value: red },
      ]
    : [
        { color: 'red', value: null },
        { color: 'yellow', value: red },
        { color: 'green', value: yellow },
      ];
}
