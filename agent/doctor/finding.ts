/** What the doctor says: findings, as plain values that print as text, JSON and YAML. */

export const severities = ['pass', 'warning', 'failure', 'unknown'] as const;
export type Severity = (typeof severities)[number];

/** Something that was read. */
export interface Evidence {
  readonly what: string;
  /** A path, a socket, or a request to the Kubernetes API. */
  readonly from: string;
}

/** The judgement of one probe. */
export interface Verdict {
  readonly severity: Severity;
  /** One sentence; with `unknown` it says why. */
  readonly message: string;
  readonly evidence: readonly Evidence[];
  /** A command for a shell on the node, or a key of the NodeConfig and its value. Undefined where nothing is to be done. */
  readonly fix?: string | undefined;
}

export interface Finding extends Verdict {
  /** Stable: `kubelet.root-shared`. */
  readonly id: string;
  readonly title: string;
  /** A place in the documentation. */
  readonly link: string;
}

export function pass(message: string, ...evidence: readonly Evidence[]): Verdict {
  return { severity: 'pass', message, evidence };
}

export function warning(message: string, fix: string | undefined, ...evidence: readonly Evidence[]): Verdict {
  return { severity: 'warning', message, evidence, fix };
}

export function failure(message: string, fix: string | undefined, ...evidence: readonly Evidence[]): Verdict {
  return { severity: 'failure', message, evidence, fix };
}

export function unknown(message: string, fix?: string, ...evidence: readonly Evidence[]): Verdict {
  return { severity: 'unknown', message, evidence, fix };
}

/** One verdict of several about like things (pools, services): the worst decides, and the sentences of the bad are joined. */
export function worstOf(verdicts: readonly Verdict[], well: string): Verdict {
  const order: readonly Severity[] = ['failure', 'warning', 'unknown'];
  const severity = order.find((each) => verdicts.some((verdict) => verdict.severity === each)) ?? 'pass';
  const evidence = verdicts.flatMap((verdict) => verdict.evidence);
  if (severity === 'pass') return { severity, message: well, evidence };
  const bad = verdicts.filter((verdict) => verdict.severity !== 'pass');
  const fixes = [...new Set(bad.flatMap(({ fix }) => fix ?? []))];
  return {
    severity,
    message: bad.map(({ message }) => message).join('; '),
    evidence: bad.flatMap((verdict) => verdict.evidence),
    fix: fixes.length === 0 ? undefined : fixes.join('\n'),
  };
}
