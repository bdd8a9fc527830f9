/** API servers and agents that are not well. */
import { rowsOf, services, withApi, withFiles } from './changes.ts';

export const brokenAgents = rowsOf([
  ['api.reachable', 'answers 500', withApi({ 'GET /version': [500, { message: 'etcd' }] }), 'failure', /500: etcd/],
  ['api.reachable', 'refuses the token', withApi({ 'GET /version': [401, {}] }), 'failure', /401/, /rollout restart/],
  ['api.clock', 'is an hour behind', { clock: 3_600 }, 'failure', /3[56]\d\d s behind/, /timedatectl/],
  ['api.clock', 'is 20 s ahead', { clock: -20 }, 'warning', /s ahead of/],
  [
    'api.identity',
    'is refused',
    withApi({ 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews': [401, {}] }),
    'failure',
    /401/,
  ],
  [
    'api.rules',
    'are refused',
    withApi({ 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews': [201, { status: { allowed: false } }] }),
    'failure',
    /may not get nodes \(agent\), .* and 60 more/,
    /kubectl apply -k daemonset\//,
  ],
  [
    'api.policies',
    'are not bound',
    withApi({ 'PATCH /api/v1/nodes/node-1/status?dryRun=All': [200, {}] }),
    'warning',
    /not bound/,
    /daemonset\/policies/,
  ],
  [
    'api.policies',
    'are not for this user',
    withApi({
      'POST /apis/authentication.k8s.io/v1/selfsubjectreviews': [201, { status: { userInfo: { username: 'admin' } } }],
    }),
    'unknown',
    /this is admin/,
  ],
  ['agent.socket', 'is not there', { agent: undefined }, 'warning', /no agent runs/, /kubectl apply/],
  [
    'agent.socket',
    'is left of one that was killed',
    { agent: undefined, ...withFiles({ 'run/berth/agent.sock': '' }) },
    'failure',
    /does not answer/,
    /--previous/,
  ],
  [
    'agent.services',
    'has one that does not serve',
    services('the kubelet refused'),
    'failure',
    /network does not serve: the kubelet refused/,
    /logs/,
  ],
  ['agent.services', 'lacks a plugin', { agent: { services: [] } }, 'unknown', /does not tell/],
  ['agent.version', 'is another', services(undefined, '0.0.9'), 'warning', /0\.0\.9/, /exec POD/],
]);
