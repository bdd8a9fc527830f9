/** `kubectl berth get KIND [NAME]`: asks the agents of all nodes at once and prints what they have together. */
import { BerthError } from '../../../kit/errors.ts';
import { askAgents } from '../agents.ts';
import type { Session } from '../command.ts';
import { tellError } from '../command.ts';
import { chooseAgents } from '../choose.ts';
import type { NodeChoice } from '../choose.ts';
import { chosen, isNamespaced } from './kinds.ts';
import type { ClusterKind } from './kinds.ts';
import { printed } from './print.ts';

export interface GetArguments extends NodeChoice {
  readonly kind: ClusterKind;
  readonly name?: string;
}

/** Prints what there is; a node that fails is told, and the others are shown. Resolves to the exit code. */
export async function get(session: Session, { kind, name, ...choice }: GetArguments): Promise<number> {
  const agents = await chooseAgents(session, choice);
  const told = await askAgents<{ readonly items?: readonly unknown[] }>(session.kubectl, agents, [
    'get',
    kind,
    '-o',
    'json',
  ]);
  const failed = told.filter((each) => 'error' in each);
  // A node without the plugin is as well as one without devices.
  const broken = failed.filter(({ error }) => !/the section for it is not configured/.test(error));
  for (const { node, error } of broken) tellError(session, `${node}: ${error}`);
  const things = told.flatMap((each) =>
    'answer' in each ? (each.answer.items ?? []).map((item) => ({ node: each.node, item })) : [],
  );
  const scope = isNamespaced(kind) && !session.allNamespaces ? await session.namespace() : undefined;
  const found = chosen(kind, things, scope, name);
  if (name !== undefined && found.length === 0 && broken.length === 0)
    throw new BerthError(
      'NOT_FOUND',
      `${kind} "${name}" not found${scope === undefined ? '' : ` in ${scope} namespace`}`,
    );
  const forPrograms = session.output === 'json' || session.output === 'yaml';
  if (found.length > 0 || forPrograms) session.print(printed(kind, found, session));
  else if (broken.length === 0)
    session.tell(scope === undefined ? `No ${kind} found.` : `No ${kind} found in ${scope} namespace.`);
  return broken.length > 0 ? 1 : 0;
}
