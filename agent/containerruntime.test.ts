import { expect, test } from 'vitest';
import { readContainerRuntime, readsCdiFiles } from './containerruntime.ts';

test.each([
  ['containerd://2.3.3', true],
  ['containerd://v2.0.0-rc.1', true],
  ['containerd://1.7.29', false],
  ['cri-o://1.28.0', true],
  ['cri-o://1.27.9', false],
  ['docker://29.0', false],
  ['', false],
])('%s reads CDI files: %j', (runtime, expected) => {
  expect(readsCdiFiles(runtime)).toBe(expected);
});

test('the Node names the runtime, once its kubelet has said so', async () => {
  const asked: string[] = [];
  const nodes = [{}, { status: { nodeInfo: { containerRuntimeVersion: 'containerd://2.3.3' } } }];
  const client = {
    get: (path: string) => {
      asked.push(path);
      return Promise.resolve(nodes.shift() ?? {});
    },
  };
  const { signal } = new AbortController();
  await expect(readContainerRuntime(client, 'a', signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(readContainerRuntime(client, 'a', signal)).resolves.toBe('containerd://2.3.3');
  expect(asked).toEqual(['/api/v1/nodes/a', '/api/v1/nodes/a']);
});
