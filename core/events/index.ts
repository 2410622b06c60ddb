export { EventBus } from './bus.ts';
export { eventMatcher } from './filter.ts';
