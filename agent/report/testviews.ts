/** For tests: what a node shows that has nothing. */
import type { NodeViews } from './nodestatus.ts';

export const noViews: NodeViews = {
  services: [],
  pools: [],
  attachments: [],
  routes: [],
  devices: [],
  illVolumes: [],
  registrations: [],
  findings: [],
};
