/** Which CNI calls people see among the recent ones, and what they were about. */
import type { RecentCalls } from '../kit/recentcalls.ts';
import { parseArgs } from './wishes.ts';

interface FinishedCall {
  readonly op: string;
  readonly variables: Readonly<Record<string, string>>;
  /** 0 for success, else the CNI code. */
  readonly code: number;
  readonly seconds: number;
}

/** The runtime asks for the state every few seconds; that is worth a line only when it fails. */
export function noteCall(calls: RecentCalls, { op, variables, code, seconds }: FinishedCall): void {
  if (code === 0 && op === 'STATUS') return;
  const text = code === 0 ? 'OK' : `CNI code ${code}`;
  calls.note({ method: op, subject: subjectOf(variables), code: text, seconds });
}

/** The pod where the runtime tells it, with the interface; else the container. */
function subjectOf(variables: Readonly<Record<string, string>>): string {
  const { CNI_CONTAINERID: container = '', CNI_IFNAME: name = '', CNI_ARGS: text = '' } = variables;
  const args = parseArgs(text);
  const pod = `${args.get('K8S_POD_NAMESPACE') ?? ''}/${args.get('K8S_POD_NAME') ?? ''}`;
  return [pod === '/' ? container.slice(0, 13) : pod, name.slice(0, 15)].filter((part) => part !== '').join(' ');
}
