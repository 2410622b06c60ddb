/**
 * The network contract: drivers describe, the engine builds.
 *
 * Vocabulary
 * - *network*: sent whole with every call; the driver keeps no copy and never calls back.
 * - *plan*: links, NAT, rules of a network (NetworkPlan), or the one link with addresses and routes of a container's use of it (EndpointPlan).
 *   The engine checks a plan against what the plugin was granted, executes it over rtnetlink and nftables, records it, and undoes it in
 *   reverse, even when the plugin is gone.
 * - *attachment*: one container on one network, named by `attachmentId`.
 *
 * Scenarios
 * - `docker network create`: createNetwork answers the plan with the network normalised (defaults filled in; id and name unchanged).
 *   The same request again gives the same plan.
 * - Container start: attach, the engine makes the link, moves it into the container's network namespace, sets addresses and routes.
 * - Container stop: the engine undoes the plan, then detach; `netnsGone` when the namespace died first.
 * - Engine restart: recorded plans of running containers are compared with the kernel and repaired; the driver is not asked.
 */
export * from './generated.ts';
