/** Named points of the journal: tests end the process there to see that a restart and a repeated call converge. */

export const faultPoints = [
  'create.intent',
  'create.allocated',
  'create.formatted',
  'create.ready',
  'delete.intent',
  'delete.moved',
  'delete.forgotten',
  'stage.recorded',
  'stage.attached',
  'stage.mounted',
  'unstage.unmounted',
  'unstage.detached',
  'publish.recorded',
  'publish.bound',
  'unpublish.unmounted',
  'freeze.hurried',
  'freeze.frozen',
  'snapshot.intent',
  'snapshot.cloned',
  'snapshot.made',
  'snapshot.ready',
  'unsnapshot.intent',
  'unsnapshot.moved',
  'unsnapshot.forgotten',
  'group.intent',
  'group.made',
  'grow.intent',
  'grow.extended',
  'grow.attached',
  'grow.grown',
] as const;

/** Those of the trash: met only where a pool keeps what was deleted. */
export const trashPoints = [
  'trash.recorded',
  'trash.moved',
  'undelete.intent',
  'undelete.moved',
  'undelete.ready',
  'undelete.forgotten',
] as const;

/** Called at every point; the default does nothing. */
export type AtPoint = (point: (typeof faultPoints)[number] | (typeof trashPoints)[number]) => void;
