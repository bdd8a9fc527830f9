/** Allocate and GetPreferredAllocation over the plugin's socket, called as the kubelet does. No peer: it prefers nothing. */
import { noPeer, sampleInTurn, timed } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import type { DeviceSide } from './sides.ts';

/** Devices that a container asks for. */
const wanted = 4;

export async function* callFigures(side: DeviceSide, signal: AbortSignal): AsyncIterable<Figure> {
  const { kubelet, resource } = side;
  const ids = side.healthy();
  const ours = async (round: number): Promise<{ allocate: number; preferred: number }> => {
    const id = ids.at(round % ids.length) ?? '';
    return {
      allocate: await timed(() => kubelet.allocate(resource, [id])),
      preferred: await timed(() => kubelet.preferred(resource, wanted)),
    };
  };
  const samples = await sampleInTurn({ ours, peer: noPeer }, { rounds: ids.length, withinMs: 20_000, signal });
  for (const name of ['allocate', 'preferred'])
    yield figureOf({ bench: `device.${name}`, ours: samples.ours.get(name) ?? [] });
}
