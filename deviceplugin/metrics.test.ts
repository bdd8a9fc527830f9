import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createDeviceMetrics } from './metrics.ts';
import { state, unit } from './plugin/fake/state.ts';

test('devices are counted with their replicas, and a resource that is gone leaves nothing behind', async () => {
  const registry = new Registry();
  const metrics = createDeviceMetrics(registry);
  const serial = state({ sharing: { replicas: 3 } }, [unit('a', []), unit('b', [], { unhealthy: 'is gone' })]);
  metrics.snapshot(new Map([['berth.dev/serial', serial]]));
  metrics.session('berth.dev/serial', 'streaming');
  metrics.allocated('berth.dev/serial', 'ok', 0.001);
  expect(await registry.metrics()).toContain('berth_device_devices{resource="berth.dev/serial",health="healthy"} 3');
  metrics.forget('berth.dev/serial');
  await expect.poll(() => registry.metrics()).not.toContain('berth.dev/serial');
});

test('what an event calls itself never becomes a label', async () => {
  const registry = new Registry();
  const metrics = createDeviceMetrics(registry);
  metrics.hotplug('add', 'tty');
  metrics.hotplug('add', '"} 1\nevil');
  metrics.hotplug('explode', 'usb');
  const text = await registry.metrics();
  expect(text).toContain('hotplug_events_total{action="add",subsystem="tty"} 1');
  expect(text).toContain('hotplug_events_total{action="add",subsystem="other"} 1');
  expect(text).toContain('hotplug_events_total{action="other",subsystem="usb"} 1');
  expect(text).not.toContain('evil');
});
