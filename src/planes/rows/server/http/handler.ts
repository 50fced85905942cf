/** The platform's own shape: no framework is needed, and every framework has an adapter for it. */
export type Handler = (request: Request) => Promise<Response>
