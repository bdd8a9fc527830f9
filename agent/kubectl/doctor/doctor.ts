/** `kubectl berth doctor [NODE…]`: `berth doctor` on every node at once, and its findings put together probe by probe. */
import { stringify } from 'yaml';
import { askAgents, partsOfAgent } from '../agents.ts';
import type { Agent } from '../agents.ts';
import { chooseAgents } from '../choose.ts';
import type { NodeChoice } from '../choose.ts';
import type { Session } from '../command.ts';
import { tellError } from '../command.ts';
import { merge } from './merge.ts';
import type { Report } from './merge.ts';
import { mergedText } from './text.ts';

/** Its probes wait for an API server that is gone. */
const patienceMs = 120_000;

/** Prints what was found; a node that fails is told. Resolves to the exit code: 1 if something failed, or a node could not be asked. */
export async function doctor(session: Session, choice: NodeChoice): Promise<number> {
  const agents = (await chooseAgents(session, choice)).flatMap(partsOfAgent);
  const told = await askAgents<Report>(session.kubectl, agents, commandFor, {
    codes: [0, 1],
    ms: patienceMs,
  });
  for (const each of told) if ('error' in each) tellError(session, `${each.node}: ${each.error}`);
  const probes = merge(told.flatMap((each) => ('answer' in each ? [{ node: each.node, report: each.answer }] : [])));
  if (session.output === 'json') session.print(`${JSON.stringify({ probes }, null, 2)}\n`);
  else if (session.output === 'yaml') session.print(stringify({ probes }));
  else if (session.output === 'name') session.print(probes.map(({ id }) => `probe/${id}\n`).join(''));
  else if (probes.length > 0)
    session.print(mergedText(probes, { wide: session.output === 'wide', paint: session.paint }));
  const failed = probes.some(({ severity }) => severity === 'failure');
  return failed || told.some((each) => 'error' in each) ? 1 : 0;
}

/** A container that runs a part sees not what the others need. */
function commandFor({ container }: Agent): readonly string[] {
  const part = container === undefined || container === 'berth' ? [] : ['--only', container];
  return ['doctor', '-o', 'json', ...part];
}
