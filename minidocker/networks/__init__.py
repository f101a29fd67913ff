"""Networks: address pools, bridges, the firewall, names.

Read in this order: ``subnets`` (which addresses there are), ``network`` (the values),
``store`` (who has which), ``plan`` (a container's cable, step by step), ``bridges`` (the
other end of it), ``rules`` and ``firewall`` (who may talk to whom), ``ports`` (what is
published), ``names`` and ``resolver`` (how they find each other), ``dns`` and ``upstream``
(what they say meanwhile).
"""
