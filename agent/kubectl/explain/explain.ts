/** `kubectl berth explain KIND/NAME`: why a pod, claim or device is as it is. */
import { stringify } from 'yaml';
import { BerthError } from '../../../kit/errors.ts';
import type { Explanation as NodeExplanation } from '../../../deviceplugin/units/explain.ts';
import { describe } from '../../commands/explain.ts';
import { askAgents } from '../agents.ts';
import { chooseAgents } from '../choose.ts';
import type { Session } from '../command.ts';
import { isObjectName } from '../kubectl.ts';
import { explainClaim } from './claim.ts';
import { gatherClaim, gatherFleet, gatherPod } from './gather.ts';
import { explainPod } from './pod.ts';
import { explainResource } from './resource.ts';
import type { Explanation } from './sight.ts';
import { targetOf } from './target.ts';
import { explanationText } from './text.ts';

/** Prints the explanation; throws when the thing is not there. Resolves to the exit code. */
export async function explain(session: Session, words: readonly string[]): Promise<number> {
  const target = targetOf(words);
  if (target.kind === 'device') return await explainDevice(session, target.path, target.node);
  if (target.kind !== 'resource' && !isObjectName(target.name))
    throw new BerthError('INVALID_ARGUMENT', `"${target.name}" cannot be the name of a ${target.kind}`);
  const explanation = await explained(session, target);
  print(session, explanation, explanationText);
  return 0;
}

async function explained(
  session: Session,
  { kind, name }: { readonly kind: 'pod' | 'pvc' | 'resource'; readonly name: string },
): Promise<Explanation> {
  if (kind === 'pod') return explainPod(await gatherPod(session, name));
  if (kind === 'resource') return explainResource(name, await gatherFleet(session, ['devices']));
  const namespace = await session.namespace();
  const [claim, fleet] = await Promise.all([gatherClaim(session, namespace, name), gatherFleet(session, ['pools'])]);
  if ('seen' in claim.claim && claim.claim.seen === undefined)
    throw new BerthError('NOT_FOUND', `persistentvolumeclaims "${name}" not found in ${namespace} namespace`);
  return explainClaim(claim, fleet);
}

async function explainDevice(session: Session, path: string, node: string): Promise<number> {
  const agents = await chooseAgents(session, { nodes: [node] });
  // Also when there is no such device, its agent says so as JSON.
  const command = ['explain', '-o', 'json', '--', path];
  const [told] = await askAgents<NodeExplanation>(session.kubectl, agents, command, { codes: [0, 1] });
  if (told === undefined || 'error' in told)
    throw new BerthError('UNAVAILABLE', `${node}: ${told?.error ?? 'no agent runs there'}`);
  print(session, told.answer, (answer) => describe(answer, session.output === 'wide'));
  return 'absent' in told.answer ? 1 : 0;
}

function print<T>(session: Session, value: T, text: (value: T) => string): void {
  const { output } = session;
  if (output === 'json') session.print(`${JSON.stringify(value, null, 2)}\n`);
  else if (output === 'yaml') session.print(stringify(value));
  else session.print(text(value));
}
