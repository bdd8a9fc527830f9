/** What kind of machine this is, for a person: the lines above `berth get inventory`. */

/** Milliseconds to find out: the library behind it starts programs, some of which ask slow hardware. */
const usualLimit = 5_000;

/** A few lines such as `MACHINE: …`; without those that could not be found out. Never throws. */
export async function describeMachine(limitMs = usualLimit): Promise<readonly string[]> {
  // Loaded only here: it is large, and the agent itself finds devices without it.
  const { default: library } = await import('systeminformation');
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, limitMs, undefined).unref());
  const within = async <T>(asked: Promise<T>): Promise<T | undefined> =>
    await Promise.race([asked.catch(() => undefined), limit]);
  const [system, cpu, memory, os] = await Promise.all([
    within(library.system()),
    within(library.cpu()),
    within(library.mem()),
    within(library.osInfo()),
  ]);
  const line = (heading: string, ...parts: readonly (string | undefined)[]): string[] => {
    const text = parts
      .map((part) => part?.replace(/[^\x20-\x7e]/g, '?').trim())
      .filter((part) => part !== undefined && part !== '' && part !== '-')
      .join(' ');
    return text === '' ? [] : [`${heading}: ${text}`];
  };
  return [
    ...line('MACHINE', system?.manufacturer, system?.model, system?.version),
    ...line('PROCESSOR', cpu?.manufacturer, cpu?.brand, cpu === undefined ? undefined : `${cpu.cores} cores`),
    ...line('MEMORY', memory === undefined ? undefined : `${(memory.total / 2 ** 30).toFixed(1)} GiB`),
    ...line('SYSTEM', os?.distro, os?.release, os?.kernel, os?.arch),
  ];
}
