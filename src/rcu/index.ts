/**
 * quiesce/rcu: grace periods and reclamation, for people who build their own structures.
 */
export { Domain, type DomainStats, type Synchronous } from "./domain.js";
export { ContextError } from "./errors.js";
export { type Cookie, FIRST_SEQUENCE, formatDomain } from "./grace-period.js";
export { DOMAIN_WORDS } from "./layout.js";
