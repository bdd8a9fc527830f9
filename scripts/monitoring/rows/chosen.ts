/** What the queries of all rows have in common. */

/** Matchers for the nodes and instances that were chosen at the top of the dashboard. */
export const where = 'node=~"$node",instance=~"$instance"';

/** The window of a rate, which Grafana fits to the scrape interval and the picture. */
export const rate = '[$__rate_interval]';
