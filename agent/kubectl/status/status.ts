/** `kubectl berth status`: gathers what is known of every node, and says whether Berth is well. */
import { pause } from '../../../kit/backoff.ts';
import { BerthError } from '../../../kit/errors.ts';
import { stringify } from 'yaml';
import { listAgentPods } from '../agents.ts';
import type { Session } from '../command.ts';
import type { BerthNodeObject, DaemonSetObject, NodeObject } from '../objects.ts';
import { listObjects } from '../seen.ts';
import type { Seen } from '../seen.ts';
import { judge } from './judge.ts';
import { statusText } from './text.ts';
import type { Sight, Status } from './verdict.ts';

export interface StatusArguments {
  readonly asked: readonly string[];
  /** Labels of nodes. */
  readonly selector?: string;
  readonly wait: boolean;
  /** Milliseconds to wait. */
  readonly timeout: number;
}

const everyMs = 2_000;

/** Prints the status, with `wait` once all is well or the time is up. Resolves to the exit code. */
export async function status(session: Session, { asked, selector, wait, timeout }: StatusArguments): Promise<number> {
  const end = performance.now() + timeout;
  let last = await look(session, asked, selector);
  let said = '';
  while (wait && !last.well && performance.now() < end) {
    const why = whyOf(last);
    if (why !== said) session.tell(`waiting: ${why}`);
    said = why;
    await pause(Math.min(everyMs, Math.max(0, end - performance.now())), new AbortController().signal);
    // The API server may be what is waited for.
    last = await look(session, asked, selector).catch((error: unknown) => {
      if (error instanceof BerthError && performance.now() < end) return last;
      throw error;
    });
  }
  session.print(format(session, last));
  if (wait && !last.well) session.tell(`error: not well after ${Math.round(timeout / 1_000)} s: ${whyOf(last)}`);
  return last.well ? 0 : 1;
}

async function look(session: Session, asked: readonly string[], selector: string | undefined): Promise<Status> {
  return judge(await gather(session, asked, selector));
}

async function gather(
  { kubectl, berthNamespace }: Session,
  asked: readonly string[],
  selector: string | undefined,
): Promise<Sight> {
  const labelled = selector === undefined ? [] : [`--selector=${selector}`];
  const [nodes, pods, daemonSets, berthNodes] = await Promise.all([
    listObjects<NodeObject>(kubectl, ['nodes', ...labelled]),
    listAgentPods(kubectl, berthNamespace),
    listDaemonSets(kubectl, berthNamespace),
    listObjects<BerthNodeObject>(kubectl, ['berthnodes.berth.dev']),
  ]);
  if (selector === undefined) return { nodes, pods, daemonSets, berthNodes, asked };
  if ('unseen' in nodes) throw new BerthError('UNAVAILABLE', `nodes cannot be chosen by their labels: ${nodes.why}`);
  const chosen = nodes.seen
    .map(({ metadata }) => metadata.name)
    .filter((name) => asked.length === 0 || asked.includes(name));
  if (chosen.length === 0) throw new BerthError('NOT_FOUND', `no node has the labels ${selector}`);
  return { nodes, pods, daemonSets, berthNodes, asked: chosen };
}

async function listDaemonSets(
  kubectl: Session['kubectl'],
  berthNamespace: string,
): Promise<Seen<readonly DaemonSetObject[]>> {
  const named = ['daemonsets.apps', '-l', 'app.kubernetes.io/name=berth'];
  const all = await listObjects<DaemonSetObject>(kubectl, [...named, '--all-namespaces']);
  if ('seen' in all || all.unseen !== 'forbidden') return all;
  const some = await listObjects<DaemonSetObject>(kubectl, [...named, `--namespace=${berthNamespace}`]);
  return 'seen' in some ? some : all;
}

function whyOf({ notes, nodes }: Status): string {
  const ill = nodes.filter(({ state }) => state === 'ill').map(({ node, reasons }) => `${node}: ${reasons[0] ?? ''}`);
  const [first = 'nothing is there', ...more] = [...ill, ...notes];
  return more.length === 0 ? first : `${first} (and ${more.length} more)`;
}

function format({ output, noHeaders, paint }: Session, status: Status): string {
  if (output === 'json') return `${JSON.stringify(status, null, 2)}\n`;
  if (output === 'yaml') return stringify(status);
  if (output === 'name') return status.nodes.map(({ node }) => `node/${node}\n`).join('');
  return statusText(status, { wide: output === 'wide', noHeaders, paint });
}
