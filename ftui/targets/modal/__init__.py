"""Modal as a target: a run is one app of its own, `modal_app.py` in the run folder.

ftui deploys that file with Modal's own command line, uploads the run to the volume `ftui-runs`,
spawns the training, and follows it with the client of the `modal` package (extra: modal). A
detached process of ftui (supervise.py) does so; the training needs none of it.
"""
