"""What people and their monitoring see of guarded runs; nothing here has any power of its own.

Everything is read: the run's folder, its ledger, its control groups, and what its supervisor and
watchdog answer to an operator. An order goes through the operator's own door. If a process of
this folder dies, no run notices.

shown        agents' words made visible before anybody looks at them
ledger_view  a growing ledger, followed and summed up
run_view     one run, at one look
watcher      all runs, again and again
metrics      Prometheus' text of a look; metrics_server answers scrapes
spans        a ledger as OpenTelemetry spans; tracing sends them
access       who may see the operator's page
page         the operator's page
"""
