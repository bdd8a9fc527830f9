/** `kubectl berth uninstall --check`: looks for what is left of Berth in the cluster and on its nodes. It removes nothing. */
import { stringify } from 'yaml';
import { formatTable } from '../../../kit/table.ts';
import { orNone } from '../../commands/cells.ts';
import { harmless } from '../../commands/harmless.ts';
import { listAgentPods } from '../agents.ts';
import type { Session } from '../command.ts';
import type { NodeObject, PodObject } from '../objects.ts';
import { listObjects } from '../seen.ts';
import { leftoversOf } from './find.ts';
import type { LeftoverSight } from './find.ts';
import { sorts } from './sorts.ts';
import type { NamedObject } from './sorts.ts';

/** Prints what is left. Resolves to the exit code: 1 when something is, or could not be looked for. */
export async function uninstallCheck(session: Session): Promise<number> {
  const leftovers = leftoversOf(await gather(session));
  const { found, unseen } = leftovers;
  if (session.output === 'json') session.print(`${JSON.stringify(leftovers, null, 2)}\n`);
  else if (session.output === 'yaml') session.print(stringify(leftovers));
  else if (session.output === 'name') session.print(found.map(({ what }) => `${harmless(what)}\n`).join(''));
  else if (found.length > 0) {
    const rows = found.map(({ what, text, remedy }) => [what, text, remedy].map(orNone).map(harmless));
    const table = formatTable(['LEFT', 'WHAT', 'HOW IT GOES AWAY'], rows);
    session.print(session.noHeaders ? table.slice(table.indexOf('\n') + 1) : table);
  } else if (unseen.length === 0) session.tell('Nothing of Berth is left in this cluster.');
  for (const sentence of unseen) session.tell(`not looked at: ${harmless(sentence)}`);
  return found.length > 0 || unseen.length > 0 ? 1 : 0;
}

async function gather({ kubectl, berthNamespace }: Session): Promise<LeftoverSight> {
  const remover = ['-l', 'app.kubernetes.io/name=berth-uninstall', '--all-namespaces'];
  const [objects, nodes, agents, removers] = await Promise.all([
    Promise.all(
      sorts.map(async (sort) => ({
        sort,
        objects: await listObjects<NamedObject>(kubectl, [sort.kind, ...sort.scope]),
      })),
    ),
    listObjects<NodeObject>(kubectl, ['nodes']),
    listAgentPods(kubectl, berthNamespace),
    listObjects<PodObject>(kubectl, ['pods', ...remover]),
  ]);
  return { sorts: objects, nodes, agents, removers };
}
