/** Finds an order of calls in which all their answers are right. Pure. */
import type { Model } from './model.ts';
import { bytesOf, isTurnedAway } from './operation.ts';
import type { Answered } from './operation.ts';
import { after } from './right.ts';

/** The model after calls that were sent at once, while the node said that `room` bytes are free; throws when no order explains the answers. */
export function explain(model: Model, answered: readonly Answered[], room: bigint): Model {
  // What was turned away because of another call did nothing.
  const done = answered.filter((one) => !isTurnedAway(one, answered, model));
  const next = inSomeOrder(model, done, room);
  if (next !== undefined) return next;
  const said = answered.map(({ call, answer }) => `${show(call)} → ${show(answer)}`);
  throw new Error(
    `no order of these calls explains their answers:\n${said.join('\n')}\nin ${show(model)}, room ${room}`,
  );
}

function inSomeOrder(model: Model, answered: readonly Answered[], room: bigint): Model | undefined {
  if (answered.length === 0) return model;
  for (const { call, answer } of answered) {
    const rest = answered.filter((one) => one.call !== call);
    const others = rest.reduce((sum, other) => sum + bytesOf(other.call, model), 0n);
    const next = after(model, call, answer, room - 2n * others);
    const last = next === undefined ? undefined : inSomeOrder(next, rest, room - 2n * bytesOf(call, model));
    if (last !== undefined) return last;
  }
  return undefined;
}

function show(value: object): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return Number(item);
    return item instanceof Map ? [...(item as Map<unknown, unknown>)] : item;
  });
}
