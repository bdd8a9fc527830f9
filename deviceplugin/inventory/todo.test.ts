import { expect, test } from 'vitest';
import { Todo } from './todo.ts';

test('events about one device make one look, as old as the first', () => {
  const todo = new Todo();
  todo.addDevice('/devices/a', { since: 1, cause: 'event', udev: 'new' });
  todo.addDevice('/devices/a', { since: 2, cause: 'event', udev: 'again' });
  todo.addDevice('/devices/b', { since: 3, cause: 'udev', udev: 'nothing' });
  expect(todo.take()).toEqual({
    kind: 'devices',
    cause: 'event',
    since: 1,
    devices: new Map([
      ['/devices/a', { since: 1, cause: 'event', udev: 'new' }],
      ['/devices/b', { since: 3, cause: 'udev', udev: 'nothing' }],
    ]),
  });
  expect(todo.take()).toBeUndefined();
});

test('a look at all does for every other', () => {
  const todo = new Todo();
  todo.addNames(1);
  todo.addDevice('/devices/a', { since: 2, cause: 'event', udev: 'new' });
  todo.addAll('lost', 3);
  todo.addAll('rescan', 4);
  expect(todo.take()).toEqual({ kind: 'all', cause: 'lost', since: 3 });
  expect(todo.take()).toBeUndefined();
});

test('a burst of events is one look at all', () => {
  const todo = new Todo();
  for (let index = 0; index < 2_000; index++)
    todo.addDevice(`/devices/${index}`, { since: 5 + index, cause: 'event', udev: 'new' });
  expect(todo.take()).toEqual({ kind: 'all', cause: 'event', since: 5 });
  expect(todo.take()).toBeUndefined();
});

test('names are looked at when devices are done', () => {
  const todo = new Todo();
  todo.addNames(1);
  todo.addDevice('/devices/a', { since: 2, cause: 'udev', udev: 'nothing' });
  expect(todo.take()?.kind).toBe('devices');
  expect(todo.take()).toEqual({ kind: 'names', cause: 'names', since: 1 });
});
