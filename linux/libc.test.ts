import { expect, test } from 'vitest';
import { SystemCallError, check, libc, libcAsync } from './libc.ts';

test('a failed call names itself, its subject and the reason', () => {
  const rmdir = libc('int rmdir(const char *path)');
  expect(() => check(rmdir('/no/such'), 'rmdir', '/no/such')).toThrow(new SystemCallError('rmdir', 2, '/no/such'));
  expect(new SystemCallError('rmdir', 2, '/no/such')).toMatchObject({
    message: 'rmdir /no/such: No such file or directory (ENOENT)',
    code: 'ENOENT',
  });
});

test('calls at once on worker threads each keep their own errno', async () => {
  const access = libcAsync('int access(const char *path, int mode)');
  const [missing, notFolder, fine] = await Promise.all([
    access('/no/such', 0),
    access('/proc/version/x', 0),
    access('/proc', 0),
  ]);
  expect([missing.errno, notFolder.errno, fine.result]).toEqual([2, 20, 0]);
});
