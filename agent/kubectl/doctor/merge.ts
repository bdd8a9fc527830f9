/** The findings of many nodes as one list: each probe once, with the nodes of each verdict. Pure. */

/** What `berth doctor -o json` prints, as far as it is looked at; an agent of another version may leave things out. */
export interface Report {
  readonly findings?: readonly {
    readonly id?: string;
    readonly title?: string;
    readonly severity?: string;
    readonly message?: string;
    readonly fix?: string;
    readonly link?: string;
  }[];
}

export interface Outcome {
  readonly severity: string;
  readonly message: string;
  readonly fix: string;
  readonly nodes: readonly string[];
}

export interface MergedProbe {
  readonly id: string;
  readonly title: string;
  readonly link: string;
  /** The worst of all nodes. */
  readonly severity: string;
  /** Equal verdicts once, the worst first. */
  readonly outcomes: readonly Outcome[];
}

const worstFirst = ['failure', 'warning', 'unknown', 'pass'];

/** In the order in which the probes were first met. */
export function merge(reports: readonly { readonly node: string; readonly report: Report }[]): readonly MergedProbe[] {
  const findings = reports.flatMap(({ node, report }) =>
    (report.findings ?? []).map(({ id = '', title = id, severity = 'unknown', message = '', fix = '', link = '' }) => {
      return { node, id, title, severity, message, fix, link };
    }),
  );
  return [...Map.groupBy(findings, ({ id }) => id)].map(([id, own]): MergedProbe => {
    const alike = Map.groupBy(own, ({ severity, message, fix }) => JSON.stringify([severity, message, fix]));
    const outcomes = [...alike.values()]
      .flatMap(([first, ...more]): readonly Outcome[] => {
        if (first === undefined) return [];
        const { severity, message, fix } = first;
        return [{ severity, message, fix, nodes: [...new Set([first, ...more].map(({ node }) => node))] }];
      })
      .toSorted((a, b) => rank(a.severity) - rank(b.severity));
    const { title = id, link = '' } = own[0] ?? {};
    return { id, title, link, severity: outcomes[0]?.severity ?? 'unknown', outcomes };
  });
}

function rank(severity: string): number {
  const place = worstFirst.indexOf(severity);
  return place === -1 ? worstFirst.indexOf('unknown') : place;
}
