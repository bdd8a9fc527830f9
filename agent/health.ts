/** What /readyz answers: one line per service in the form Kubernetes' own components use, or the same as JSON. */

export interface ServiceState {
  readonly name: string;
  /** Undefined when it does its work. */
  readonly reason: string | undefined;
}

/** `[+]network ok` and `[-]storage not ready: …`, then the verdict. Reasons are told: only this node can ask. */
export function formatReadiness(states: readonly ServiceState[]): string {
  const lines = states.map(({ name, reason }) =>
    reason === undefined ? `[+]${name} ok` : `[-]${name} not ready: ${oneLine(reason)}`,
  );
  return [...lines, isReady(states) ? 'readyz check passed' : 'readyz check failed', ''].join('\n');
}

export function isReady(states: readonly ServiceState[]): boolean {
  return states.every(({ reason }) => reason === undefined);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, '; ');
}
