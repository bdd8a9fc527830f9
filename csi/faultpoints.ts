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
] as const;

/** Called at every point; the default does nothing. */
export type AtPoint = (point: (typeof faultPoints)[number]) => void;
