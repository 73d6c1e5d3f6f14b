"""The only way out of the jail: what the agent asks of models, tools and hosts passes here first.

One process, P, judges every act by the policy, has the supervisor write it down, and only then
lets it through. Where the judging or the writing fails, nothing passes any more.

settings         what P is told when it starts
rights           its user, who is not root
link             the supervisor's end: starts P, writes the ledger, raises alarms
channel          P's end
packets          what goes between the two, written and read
waiting          reports that wait for an operator's answer
gate             an act is judged, written down, and only then let through
pace             how fast acts may follow one another at throttle
budget           tokens of all calls, against the policy's hard limit
spelling         keys that readers which know no case take for a name of the wire
strict_json      JSON that every reader understands alike
call             a tool call that a model proposes, and what was decided
openai_chat      the shapes of OpenAI's chat completions, whole and streamed
openai_responses the shapes of OpenAI's responses
anthropic        the shapes of Anthropic's messages
sse              a stream of server-sent events, cut into its events
upstream         the connection to a provider, which carries the key
model_route      a model call: request checked, key put in, proposals judged
streaming        the same for an answer that comes in pieces
pinned           hashes of the system prompt and of tool lists
noticed          the notice to stop, in what an agent or its model reads next
mcp              frames of the Model Context Protocol, judged
mcp_stdio        over pipes
mcp_headers      what an HTTP request's headers repeat of its frame
mcp_http         over streamable HTTP
egress           a forward proxy for everything else, with the rules as its allow-list
addresses        which names may be looked up, and which addresses may be spoken to
client_hello     which host a tunnel really asks for
environment      what the agent is told about all this
matching         executions held against proposals while the run goes on
findings         all three held against each other at its end
reconcile        what was proposed, executed and effected, held against each other
process          P itself
"""
