/** `berth get attachments|pools|routes`: asks the running agent and prints what it has, as a table like kubectl's or for programs. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import type { AttachmentView, PoolView, RouteView } from '../../cni/views.ts';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';
import { formatTable } from '../../kit/table.ts';
import type { Kind, Output } from './choices.ts';

/** Prints to standard output; throws when no agent answers. Resolves to the exit code. */
export async function get(kind: Kind, output: Output, socket: string): Promise<number> {
  process.stdout.write(format(kind, output, await ask(socket, kind), Date.now()));
  return 0;
}

async function ask(socket: string, kind: Kind): Promise<readonly unknown[]> {
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({ socketPath: socket, path: `/v1/${kind}`, timeout: 5_000 }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
    asked.on('error', reject);
    asked.end();
  }).catch((error: unknown) => {
    const hint = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '')
      ? 'no agent runs here, or its agent.socket is another (--socket)'
      : messageOf(error);
    throw new BerthError('UNAVAILABLE', `the agent cannot be asked on ${socket}: ${hint}`, { cause: error });
  });
  const answer = JSON.parse(body) as { readonly items?: readonly unknown[]; readonly error?: string };
  if (status === 200 && answer.items !== undefined) return answer.items;
  throw new BerthError('UNAVAILABLE', answer.error ?? `the agent answered ${status}`);
}

/** The text for standard output. `now` in milliseconds since 1970. */
export function format(kind: Kind, output: Output, items: readonly unknown[], now: number): string {
  if (output === 'json') return `${JSON.stringify({ items }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ items });
  if (items.length === 0) return `No ${kind} found.\n`;
  if (kind === 'pools')
    return formatTable(
      ['RANGE', 'SIZE', 'USED', 'FREE', 'COOLING'],
      (items as readonly PoolView[]).map(({ range, size, used, free, cooling }) => [
        range,
        ...[size, used, free, cooling].map(String),
      ]),
    );
  if (kind === 'routes')
    return formatTable(
      ['NODE', 'RANGE', 'WAY', 'VIA', 'REASON'],
      (items as readonly RouteView[]).map(({ node, range, way, via, reason }) =>
        [node, range, way, via, reason].map((text) => text || '<none>'),
      ),
    );
  const wide = output === 'wide';
  return formatTable(
    [
      ...['NAMESPACE', 'POD', 'INTERFACE', 'ADDRESS', 'PORTS', 'INGRESS', 'EGRESS', 'AGE'],
      ...(wide ? ['STATE', 'LINK', 'MTU', 'CONTAINER'] : []),
    ],
    (items as readonly AttachmentView[]).map((item) => [
      item.namespace || '<none>',
      item.pod || '<none>',
      item.interface,
      item.addresses.join(','),
      item.ports.join(',') || '<none>',
      rateText(item.ingressRate),
      rateText(item.egressRate),
      ageText(now - Date.parse(item.since)),
      ...(wide ? [item.state, item.link, String(item.mtu), item.containerID] : []),
    ]),
  );
}

/** Bits per second as a Kubernetes quantity, rounded to three digits: 800k, 1.5M, 10M. */
export function rateText(bits: number): string {
  if (bits === 0) return '<none>';
  const power = Math.min(4, Math.floor(Math.log10(bits) / 3));
  return `${Number((bits / 1_000 ** power).toPrecision(3))}${['', 'k', 'M', 'G', 'T'][power] ?? ''}`;
}

/** A time span as kubectl writes it, with one unit: 45s, 12m, 7h, 3d. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
