import type { ActionTimes } from '@gantry/sdk/engine';

const helps: Readonly<Record<ActionTimes['kind'], string>> = {
  container: 'The number of seconds it takes to process each container action',
  image: 'The number of seconds it takes to process each image action',
  network: 'The number of seconds it takes to process each network action',
};

/** The engine's own histograms in the text format of Prometheus, at Docker's names: a library would want to have counted them itself. */
export function actionText(actions: readonly ActionTimes[]): string {
  const kinds = Map.groupBy(actions, ({ kind }) => kind);
  return [...kinds].map(([kind, times]) => histogram(`engine_daemon_${kind}_actions_seconds`, helps[kind], times)).join('');
}

function histogram(name: string, help: string, all: readonly ActionTimes[]): string {
  const lines = all.flatMap(({ action, count, seconds, buckets }) => [
    ...buckets.map((bucket) => `${name}_bucket{action="${action}",le="${bucket.atMostSeconds}"} ${bucket.count}`),
    `${name}_bucket{action="${action}",le="+Inf"} ${count}`,
    `${name}_sum{action="${action}"} ${seconds}`,
    `${name}_count{action="${action}"} ${count}`,
  ]);
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join('\n')}\n`;
}
