include Makefile.init
