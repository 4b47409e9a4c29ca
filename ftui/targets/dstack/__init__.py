"""dstack as a target: runs on machines that a dstack server rents or owns, over its REST API.

Written for the API of dstack 0.22.5; needs nothing of the `dstack` package. The run folder holds
`train.dstack.yml`, which `dstack apply -f` takes as it is; a detached process of ftui
(supervise.py) submits it, follows it into the run folder, and brings the results home. What was
trained is served there as well (serve/), for as long as somebody talks to it.
"""
