/** A node under test beside the model of what it has promised. */
import { asBerthError } from '../../../kit/errors.ts';
import type { TestNode } from '../testnode.ts';
import { explain } from './explain.ts';
import type { Model } from './model.ts';
import { callOf } from './operation.ts';
import type { Answer, Answered, Call, FindId, Operation } from './operation.ts';
import { send } from './send.ts';

/** Calls of which some were never answered, because the node died. */
export interface Attempt {
  readonly answered: readonly Answered[];
  readonly lost: readonly Call[];
}

const patienceMs = 20_000;

export class ModelledNode {
  readonly node: TestNode;
  model: Model;
  /** The last ID of each object, also when it is deleted. */
  readonly #lastIds = new Map<string, string>();

  constructor(node: TestNode, model: Model) {
    this.node = node;
    this.model = model;
  }

  /** Sends all at once. Throws when no order of them explains the answers. */
  async sendAtOnce(operations: readonly Operation[]): Promise<void> {
    const room = await this.free();
    const { answered } = await this.attempt(operations, () => false);
    this.#become(explain(this.model, answered, room));
  }

  /** Sends all at once to a node that may die; an answer that comes when it is dead counts as none. */
  async attempt(operations: readonly Operation[], isDead: () => boolean): Promise<Attempt> {
    const calls = operations.map((operation) => callOf(operation, this.#idOf));
    const outcomes = await Promise.all(
      calls.map(async (call) => {
        const answer = await (calls.length === 1 ? this.#answerWhenFree(call) : this.#answer(call));
        return { call, answer: isDead() || answer.code === 'UNAVAILABLE' ? undefined : answer };
      }),
    );
    return {
      answered: outcomes.flatMap(({ call, answer }) => (answer === undefined ? [] : { call, answer })),
      lost: outcomes.flatMap(({ call, answer }) => (answer === undefined ? call : [])),
    };
  }

  /** Repeats what was lost when the node lives again: the answers have to be as if it had never died. */
  async repeat({ answered, lost }: Attempt): Promise<void> {
    const repeated: Answered[] = [];
    for (const call of lost) repeated.push({ call, answer: await this.#answer(call) });
    // What shares bytes is measured after the start, until then more is kept free.
    this.#become(explain(this.model, [...answered, ...repeated], 0n));
  }

  /** The largest volume that the node says it can make. */
  async free(): Promise<bigint> {
    return BigInt((await this.node.controller.GetCapacity({})).available_capacity);
  }

  #become(model: Model): void {
    this.model = model;
    for (const { name, id } of model.volumes) this.#lastIds.set(`volume ${name}`, id);
    for (const { name, id } of model.groups) this.#lastIds.set(`group ${name}`, id);
    for (const { name, id } of model.snapshots) if (name !== undefined) this.#lastIds.set(`snapshot ${name}`, id);
  }

  /** Members of groups can be meant too: they have the numbers that no snapshot of its own has. */
  readonly #idOf: FindId = (kind, number) => {
    const key = `${kind} ${number}`;
    const objects: readonly { readonly id: string; readonly name: number | undefined }[] = this.model[`${kind}s`];
    const member = kind === 'snapshot' ? this.model.snapshots.find(({ name }) => name === undefined)?.id : undefined;
    return objects.find(({ name }) => name === number)?.id ?? this.#lastIds.get(key) ?? member ?? `fake-${key}`;
  };

  /**
   * Alone nothing is busy, but for a mount namespace that somebody else on a real machine makes at that moment: it holds a copy of
   * our mounts until it has its own root. The kubelet repeats such a call.
   */
  async #answerWhenFree(call: Call): Promise<Answer> {
    const end = Date.now() + patienceMs;
    let answer = await this.#answer(call);
    while (answer.code === 'BUSY' && Date.now() < end) answer = await this.#answer(call);
    return answer;
  }

  async #answer(call: Call): Promise<Answer> {
    const type = this.model.volumes.find(({ id }) => id === call.id)?.type ?? 'ext4';
    try {
      return await send(call, type, this.node);
    } catch (error) {
      return { code: asBerthError(error).code };
    }
  }
}
