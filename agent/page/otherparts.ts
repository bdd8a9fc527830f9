/** The views of the other parts of the agent, where each plugin runs as a process of its own: the page of one shows all. */
import { askPart } from '../commands/ask.ts';
import { socketsOf } from '../part.ts';
import type { ViewSource } from './views.ts';

/** None for an agent that is whole. `socket` is this process's own. */
export function otherParts(socket: string): readonly ViewSource[] {
  const [, ...parts] = socketsOf(socket);
  return parts.includes(socket) ? parts.filter((part) => part !== socket).map(viewsOfPart) : [];
}

/** That a part has died is told once, by its services; what else it would have shown is not known. */
function viewsOfPart(socket: string): ViewSource {
  return async (view) => {
    const answer = await askPart(socket, view);
    if ('items' in answer) return answer.items;
    if (answer.kind === 'failed' || (answer.kind === 'dead' && view === 'services')) throw answer.error;
    return undefined;
  };
}
