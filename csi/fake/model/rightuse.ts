/** Right answers to staging and publishing. Pure. */
import { withVolume } from './model.ts';
import type { Model, ModelVolume } from './model.ts';
import type { Call, Right } from './operation.ts';

const refused: Right = { code: 'FAILED_PRECONDITION' };

export function staged(model: Model, volume: ModelVolume, flags: readonly string[]): Right {
  // Raw block has no mount flags to send.
  const wanted = volume.type === 'block' ? '' : flags.join();
  if (volume.staged !== undefined) return { code: volume.staged === wanted ? 'OK' : 'ALREADY_EXISTS' };
  return { code: 'OK', next: withVolume(model, { ...volume, staged: wanted }) };
}

export function published(model: Model, volume: ModelVolume, call: Call & { kind: 'publish' }): Right {
  const { target, readonly, mode } = call;
  if (volume.type === 'block' && readonly) return { code: 'INVALID_ARGUMENT' };
  const known = volume.published.find((place) => place.target === target);
  if (known !== undefined)
    return { code: known.readonly === readonly && known.mode === mode ? 'OK' : 'ALREADY_EXISTS' };
  if (volume.staged === undefined) return refused;
  const single = 'SINGLE_NODE_SINGLE_WRITER';
  const alone = mode === single || volume.published.some((place) => place.mode === single);
  if (alone && volume.published.length > 0) return refused;
  if (isTaken(model, target)) return refused;
  const wanted = volume.type === 'block' ? 'file' : 'folder';
  if ((model.leftovers.get(target) ?? wanted) !== wanted) return refused;
  const places = [...volume.published, { target, readonly, mode }];
  return { code: 'OK', next: withoutLeftover(withVolume(model, { ...volume, published: places }), target) };
}

export function unpublished(model: Model, volume: ModelVolume | undefined, target: number): Right {
  const places = volume?.published.filter((place) => place.target !== target) ?? [];
  if (volume !== undefined && places.length < volume.published.length)
    return { code: 'OK', next: withVolume(model, { ...volume, published: places }) };
  // Whatever else is mounted there is not taken away.
  if (isTaken(model, target)) return refused;
  return { code: 'OK', next: withoutLeftover(model, target) };
}

function isTaken({ volumes }: Model, target: number): boolean {
  return volumes.some((volume) => volume.published.some((place) => place.target === target));
}

function withoutLeftover(model: Model, target: number): Model {
  return { ...model, leftovers: new Map([...model.leftovers].filter(([at]) => at !== target)) };
}
