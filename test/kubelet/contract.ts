/**
 * What Berth relies on in a kubelet and the Node that it writes, shown with plugins that fail in ways in which Berth's own do
 * not. The real kubelet is asked the same as the scripted one, so that what is tested with that one is true.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { servePlugin } from './scriptedplugin.ts';
import type { PluginScript, ScriptedPlugin } from './scriptedplugin.ts';

/** Devices of a resource as a Node has them: capacity counts unhealthy ones too. */
export interface Counts {
  readonly capacity: number;
  readonly allocatable: number;
}

export interface KubeletUnderTest {
  /** Its root directory as it is seen from here. */
  readonly rootDir: () => string;
  /** What its Node says of a resource; undefined of one that was never there. */
  readonly countsOf: (resource: string) => Promise<Counts | undefined>;
}

/** Makes plugins for the tests of a file and ends them after each; `shows` waits for what the Node says. */
function useContract({ rootDir, countsOf }: KubeletUnderTest) {
  const plugins: ScriptedPlugin[] = [];
  afterEach(async () => {
    await Promise.all(plugins.splice(0).map((plugin) => plugin.stop()));
  });
  const make = async (name: string, script?: PluginScript): Promise<ScriptedPlugin> => {
    const plugin = await servePlugin(rootDir(), `contract.test/${name}`, script);
    plugins.push(plugin);
    return plugin;
  };
  const shows = async (name: string, allocatable: number, capacity: number, seconds = 60): Promise<void> => {
    await vi.waitFor(
      async () => {
        expect(await countsOf(`contract.test/${name}`)).toEqual({ allocatable, capacity });
      },
      { timeout: seconds * 1000, interval: 200 },
    );
  };
  /** Resolves when the Node shows a plugin that came later, so that one before could have been asked and shown. */
  const later = async (name: string): Promise<void> => {
    const plugin = await make(`after-${name}`);
    await plugin.register();
    await shows(`after-${name}`, 1, 1);
  };
  return { make, shows, later, countsOf };
}

/** The tests that take no longer than the kubelet takes to write its Node. */
export function kubeletContract(kubelet: KubeletUnderTest): void {
  const { make, shows, later, countsOf } = useContract(kubelet);

  test('a plugin that fails to say its options is refused with its words, asked once and never shown', async () => {
    const plugin = await make('options', { failOptions: 'no options today' });
    await expect(plugin.register()).rejects.toThrow('no options today');
    await later('options');
    expect(plugin.calls).toEqual({ options: 1, lists: 0 });
    expect(await countsOf(plugin.resource)).toBeUndefined();
  });

  test('one whose list fails at once has 0 of 0 devices and is not asked again', async () => {
    const plugin = await make('at-once', { failFirstList: 'no list today' });
    await plugin.register();
    await shows('at-once', 0, 0);
    await later('at-once');
    expect(plugin.calls).toEqual({ options: 1, lists: 1 });
    expect(await countsOf(plugin.resource)).toEqual({ allocatable: 0, capacity: 0 });
  });

  test.each<[string, string, (plugin: ScriptedPlugin) => Promise<void> | void]>([
    [
      'whose list fails later',
      'fails',
      (plugin) => {
        plugin.failList();
      },
    ],
    ['that stops', 'stops', (plugin) => plugin.stop()],
  ])(
    'of one %s none is allocatable, all count, it is not asked again, and the next has them all',
    async (_what, name, end) => {
      const plugin = await make(name);
      plugin.set('Healthy', 'Healthy');
      await plugin.register();
      await shows(name, 2, 2);
      await end(plugin);
      await shows(name, 0, 2);
      await later(name);
      expect(plugin.calls).toEqual({ options: 1, lists: 1 });
      const next = await make(name);
      next.set('Healthy', 'Healthy');
      await next.register();
      await shows(name, 2, 2);
    },
  );

  test('those that are healthy are allocatable, and all count', async () => {
    const plugin = await make('health');
    plugin.set('Healthy', 'Healthy', 'Healthy');
    await plugin.register();
    await shows('health', 3, 3);
    plugin.set('Healthy', 'Unhealthy', 'Unhealthy');
    await shows('health', 1, 3);
    plugin.set('Healthy', 'Healthy', 'Healthy');
    await shows('health', 3, 3);
    plugin.set();
    await shows('health', 0, 0);
  });
}

/** What takes the kubelet its grace of five minutes. */
export function kubeletGrace(kubelet: KubeletUnderTest): void {
  const { make, shows, later } = useContract(kubelet);

  test('two devices whose list has failed count until the grace is over, and then no more', async () => {
    const plugin = await make('grace');
    plugin.set('Healthy', 'Healthy');
    await plugin.register();
    await shows('grace', 2, 2);
    plugin.failList();
    await shows('grace', 0, 2);
    await shows('grace', 0, 0, 480);
    await later('grace');
    expect(plugin.calls).toEqual({ options: 1, lists: 1 });
  });
}
